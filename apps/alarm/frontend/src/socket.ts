/** A WebSocket that comes back: after a release, a lost network, a server that was gone for a while. */

export type Connection = "connecting" | "live" | "lost";

/** The server says something every 20 seconds, changes or not. */
const SILENCE_MS = 50_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

interface Listener {
  onText: (text: string) => void;
  onConnection: (connection: Connection) => void;
}

export class LastingSocket {
  #socket: WebSocket | undefined;
  #failures = 0;
  #waiting: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly url: string,
    readonly listener: Listener,
  ) {}

  open(): void {
    this.listener.onConnection("connecting");
    this.#connect();
    window.addEventListener("online", this.#hurry);
  }

  close(): void {
    window.removeEventListener("online", this.#hurry);
    clearTimeout(this.#waiting);
    this.#leave();
  }

  #connect(): void {
    this.#leave();
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    this.#expectSomething();
    socket.onmessage = ({ data }) => {
      this.#failures = 0;
      this.#expectSomething();
      this.listener.onConnection("live");
      this.listener.onText(String(data));
    };
    socket.onclose = () => this.#comeBack();
  }

  /** Sockets that nobody listens to any more do not count as lost. */
  #leave(): void {
    clearTimeout(this.#silence);
    if (!this.#socket) return;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = undefined;
  }

  #expectSomething(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#comeBack(), SILENCE_MS);
  }

  #comeBack(): void {
    this.#leave();
    this.listener.onConnection("lost");
    const longest = Math.min(FIRST_WAIT_MS * 2 ** this.#failures, LONGEST_WAIT_MS);
    this.#failures += 1;
    // Not all at the same moment: a release closes every page's socket at once.
    this.#wait((longest * (1 + Math.random())) / 2);
  }

  #wait(ms: number): void {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => {
      this.#waiting = undefined;
      this.#connect();
    }, ms);
  }

  /** The network is back: whoever waits need not wait longer. */
  readonly #hurry = () => {
    if (this.#waiting !== undefined) this.#wait(0);
  };
}
