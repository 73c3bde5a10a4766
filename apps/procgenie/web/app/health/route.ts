/** For the container's health check: whether this process serves, whatever the API does. */
export const dynamic = "force-dynamic";

export function GET(): Response {
  return Response.json({ status: "ok" });
}
