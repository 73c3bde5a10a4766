/** What the API and the page say to each other. */

export const STATUSES = ["submitted", "approved", "in_review"] as const;

export type Status = (typeof STATUSES)[number];

/** What somebody asks to be bought. */
export interface NewPurchaseRequest {
  title: string;
  department: string;
  /** In hundredths of the currency's unit. */
  amountCents: number;
}

/** A request as the API returns it. */
export interface PurchaseRequest extends NewPurchaseRequest {
  /** A UUID. */
  id: string;
  status: Status;
  /** ISO 8601. */
  createdAt: string;
  /** ISO 8601; null until it is decided. */
  decidedAt: string | null;
}

export interface Page {
  /** Newest first. */
  requests: PurchaseRequest[];
  /** Of all there are, not only of those on this page. */
  total: number;
}

export interface Version {
  version: string;
}

export const TITLE_MOST = 120;
export const DEPARTMENT_MOST = 60;
export const AMOUNT_MOST_CENTS = 1_000_000_000;

/** Errors by field; empty when there are none. */
export type FieldErrors = Partial<Record<keyof NewPurchaseRequest, string>>;

export type Parsed = { ok: true; value: NewPurchaseRequest } | { ok: false; errors: FieldErrors };

/** A new request from whatever came in: the form and the API refuse the same things. */
export function parseNewPurchaseRequest(input: unknown): Parsed {
  const raw = (typeof input === "object" && input !== null ? input : {}) as Record<string, unknown>;
  const title = text(raw["title"]);
  const department = text(raw["department"]);
  const amountCents = raw["amountCents"];
  const errors: FieldErrors = {};
  if (!title || title.length > TITLE_MOST) errors.title = `1 to ${TITLE_MOST} characters`;
  if (!department || department.length > DEPARTMENT_MOST) errors.department = `1 to ${DEPARTMENT_MOST} characters`;
  if (typeof amountCents !== "number" || !Number.isInteger(amountCents) || amountCents < 1 || amountCents > AMOUNT_MOST_CENTS) {
    errors.amountCents = `a whole number of hundredths, 1 to ${AMOUNT_MOST_CENTS}`;
  }
  if (Object.keys(errors).length > 0) return { ok: false, errors };
  return { ok: true, value: { title, department, amountCents: amountCents as number } };
}

/** Trimmed; empty for what is no text, or holds a character that databases refuse. */
function text(value: unknown): string {
  return typeof value === "string" && !value.includes("\0") ? value.trim() : "";
}
