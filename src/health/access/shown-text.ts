// What phones, boxes and people sent is shown as text. A terminal obeys control octets and a reader is fooled by
// characters that turn the direction of writing: neither gets that far.

/** Control octets of C0 and C1; what turns the direction of writing; separators of lines and paragraphs. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** At most `length` characters, with a question mark in the place of each that is not shown. */
export const shownText = (text: string, length = 200): string => text.slice(0, length).replace(UNSHOWN, "?");
