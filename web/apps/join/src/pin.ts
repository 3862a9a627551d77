// What people type into the PIN field, and what of it is a PIN.
export const PIN_DIGITS = 6;

/** Keeps the digits of whatever was typed or pasted ("PIN: 123-456"), at most six. */
export function pinDigits(typed: string): string {
  return typed.replace(/\D/g, '').slice(0, PIN_DIGITS);
}

/** Writes a PIN the way people read it aloud: two groups of three. */
export function pinShown(digits: string): string {
  return digits.length > 3 ? `${digits.slice(0, 3)} ${digits.slice(3)}` : digits;
}
