import type { Page, Status } from "@procgenie/shared-types";

import { formatCents } from "../lib/money";

const WORDS: Record<Status, string> = { submitted: "submitted", approved: "approved", in_review: "in review" };

export function RequestTable({ requests, total }: Page) {
  if (total === 0) return <p className="empty">Nobody has asked for anything yet.</p>;
  return (
    <table>
      <caption>
        {requests.length} newest of {total}
      </caption>
      <thead>
        <tr>
          <th>What</th>
          <th>Department</th>
          <th className="amount">Amount</th>
          <th>Status</th>
        </tr>
      </thead>
      <tbody>
        {requests.map((request) => (
          <tr key={request.id}>
            <td>{request.title}</td>
            <td>{request.department}</td>
            <td className="amount">{formatCents(request.amountCents)}</td>
            <td>
              <span className={`status ${request.status}`}>{WORDS[request.status]}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
