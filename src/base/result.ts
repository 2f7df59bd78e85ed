/** The other side's fault is a value, not an exception. */
export type Result<Value, Fault> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: Fault };

export const ok = <Value>(value: Value): Result<Value, never> => ({ ok: true, value });
export const fault = <Fault>(reason: Fault): Result<never, Fault> => ({ ok: false, fault: reason });
