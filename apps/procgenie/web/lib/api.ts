/** The API as the server that renders pages reaches it. */

import { setTimeout } from "node:timers/promises";

import type { Page, Version } from "@procgenie/shared-types";

const PAUSE_MS = 100;

/** Throws an Error when the API does not answer well: a page without its content is no page. */
async function get<T>(path: string): Promise<T> {
  const answer = await ask(path);
  if (!answer.ok) throw new Error(`the API answered ${answer.status} to ${path}`);
  return answer.json() as Promise<T>;
}

/** fetch keeps connections: a replica that is replaced closes them all, one whose machine is lost never answers. Another
 * replica does, and a read may be asked for again, once those that are closed are known to be. */
async function ask(path: string, tries = 3): Promise<Response> {
  try {
    return await fetch(`${process.env["API_URL"]}/api/v1/${path}`, {
      cache: "no-store",
      signal: AbortSignal.timeout(5_000),
    });
  } catch (error) {
    if (tries === 1) throw error;
    await setTimeout(PAUSE_MS);
    return ask(path, tries - 1);
  }
}

export const fetchPage = (): Promise<Page> => get("requests");
export const fetchVersion = (): Promise<Version> => get("version");
