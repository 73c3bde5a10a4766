/** The API as the server that renders pages reaches it. */

import type { Page, Version } from "@procgenie/shared-types";

/** Throws an Error when the API does not answer well: a page without its content is no page. */
async function get<T>(path: string): Promise<T> {
  // fetch keeps connections: a replica that is replaced closes them, one whose machine is lost never answers. The other
  // replica does, and a read may be asked for again.
  const answer = await ask(path).catch(() => ask(path));
  if (!answer.ok) throw new Error(`the API answered ${answer.status} to ${path}`);
  return answer.json() as Promise<T>;
}

const ask = (path: string): Promise<Response> =>
  fetch(`${process.env["API_URL"]}/api/v1/${path}`, { cache: "no-store", signal: AbortSignal.timeout(5_000) });

export const fetchPage = (): Promise<Page> => get("requests");
export const fetchVersion = (): Promise<Version> => get("version");
