/** 64 bits in two lanes over everything that was fed in, in order: the fingerprint of a run. */
export class RollingHash {
  #low = 0x811c9dc5 | 0;
  #high = 0x9e3779b9 | 0;

  number(value: number): void {
    const whole = Math.floor(value);
    this.#word(whole | 0);
    const upper = Math.floor(whole / 0x1_0000_0000) | 0;
    if (upper !== 0) this.#word(upper);
  }

  text(text: string): void {
    this.#word(text.length);
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high + code, 0x85ebca6b) ^ (high >>> 15);
    }
    this.#low = low;
    this.#high = high;
  }

  bytes(bytes: Uint8Array): void {
    this.#word(bytes.length);
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      low = Math.imul(low ^ byte, 0x01000193);
      high = Math.imul(high + byte, 0x85ebca6b) ^ (high >>> 15);
    }
    this.#low = low;
    this.#high = high;
  }

  /** Any plain value, field by field in their order. */
  value(value: unknown): void {
    if (typeof value === "string") this.text(value);
    else if (typeof value === "number") this.number(value);
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) {
      this.#word(value.length);
      for (const item of value) this.value(item);
    } else if (typeof value === "object" && value !== null) {
      for (const name in value) {
        this.text(name);
        this.value((value as Record<string, unknown>)[name]);
      }
    } else this.#word(value === undefined ? 3 : value === null ? 4 : value === true ? 1 : 2);
  }

  #word(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193) ^ (this.#low >>> 13);
    this.#high = Math.imul(this.#high + word, 0x85ebca6b) ^ (this.#high >>> 15);
  }

  /** 16 hex digits. */
  digest(): string {
    return (this.#high >>> 0).toString(16).padStart(8, "0") + (this.#low >>> 0).toString(16).padStart(8, "0");
  }
}
