/** What tests put in the place of WebSocket: it does nothing by itself. */

export class FakeSocket {
  static made: FakeSocket[] = [];

  static get last(): FakeSocket {
    return FakeSocket.made.at(-1)!;
  }

  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;

  constructor(readonly url: string) {
    FakeSocket.made.push(this);
  }

  push(value: unknown): void {
    this.onmessage?.({ data: JSON.stringify(value) });
  }

  lose(): void {
    this.onclose?.();
  }

  close(): void {
    this.closed = true;
  }
}
