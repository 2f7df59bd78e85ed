/** An address or port cannot be served; the message is a sentence for the operator. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** The address is not there, or not yet. */
  readonly isAddressMissing: boolean;

  constructor(sentence: string, cause?: Error) {
    super(sentence, cause === undefined ? undefined : { cause });
    this.isAddressMissing = cause !== undefined && "code" in cause && cause.code === "EADDRNOTAVAIL";
  }
}

/** `service`: "SIP" or "overlay"; `option`: by which the operator chooses another port. */
export function describeListenError(
  error: Error,
  service: string,
  transport: "UDP" | "TCP",
  listen: { readonly host: string | undefined; readonly port: number },
  option: string,
): string {
  const code = "code" in error ? String(error.code) : "";
  const where = listen.host === undefined ? "" : ` on ${listen.host}`;
  if (code === "EADDRINUSE") {
    return `the ${service} port ${listen.port} (${transport})${where} is taken by another program; choose another with ${option}`;
  }
  if (code === "EACCES") return `this user may not serve port ${listen.port} (${transport}); choose one above 1023 with ${option}`;
  if (code === "EADDRNOTAVAIL" || code === "EINVAL") return `${listen.host ?? "the address"} is not an address of this machine`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `${listen.host ?? ""} is not a numeric address of this machine`;
  return `the ${service} port ${listen.port} (${transport})${where} cannot be served: ${error.message}`;
}
