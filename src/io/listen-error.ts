/** An address or port cannot be served; the message is a sentence for the operator. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}
