/** The API as the server that renders pages reaches it. */

import type { Page, Version } from "@procgenie/shared-types";

/** Throws an Error when the API does not answer well: a page without its content is no page. */
async function get<T>(path: string): Promise<T> {
  const answer = await fetch(`${process.env["API_URL"]}/api/v1/${path}`, {
    cache: "no-store",
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`the API answered ${answer.status} to ${path}`);
  return answer.json() as Promise<T>;
}

export const fetchPage = (): Promise<Page> => get("requests");
export const fetchVersion = (): Promise<Version> => get("version");
