import { readMessage } from "../../src/sip/message/parse.ts";
import { validateRegister } from "../../src/sip/message/validate.ts";

/** The first stateless verdict on a datagram by an element that is registrar too. */
export function judge(octets: string): "pass" | "drop" | number {
  const read = readMessage(octets);
  if (!read.ok) return read.fault.type === "dropped" ? "drop" : read.fault.status;
  const message = read.value;
  if (message.type === "response" || message.method !== "REGISTER") return "pass";
  return validateRegister(message)?.status ?? "pass";
}
