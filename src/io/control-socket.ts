import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

/** The peer's, and the agent's. */
type SocketName = "control.sock" | "agent.sock";
/** sun_path holds 108 bytes with the closing zero (unix(7)). */
const PATH_MAX_BYTES = 107;

/** A name by which the control socket of a data directory can be bound and connected to. */
export interface ControlSocketPath {
  readonly path: string;
  /** Gives back what the name needs. Not before the socket is closed. */
  close(): void;
}

/**
 * The control socket of `directory`. A path that does not fit into a socket address goes through an
 * open descriptor of the directory instead. Throws what `open(2)` says if the directory cannot be opened.
 */
export function controlSocketPath(directory: string, name: SocketName = "control.sock"): ControlSocketPath {
  const plain = join(directory, name);
  if (Buffer.byteLength(plain) <= PATH_MAX_BYTES) return { path: plain, close: () => undefined };
  const descriptor = openSync(directory, "r");
  return { path: `/proc/self/fd/${descriptor}/${name}`, close: () => closeSync(descriptor) };
}
