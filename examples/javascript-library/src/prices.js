/**
 * An amount of whole cents with its currency: 123456 cents are `1,234.56 EUR`.
 *
 * @param {number} cents
 * @param {string} [currency]
 * @returns {string}
 */
export function formatPrice(cents, currency = "EUR") {
  if (!Number.isInteger(cents)) {
    throw new TypeError(`not a whole number of cents: ${cents}`);
  }
  const sign = cents < 0 ? "-" : "";
  const digits = String(Math.abs(cents)).padStart(3, "0");
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${sign}${whole}.${digits.slice(-2)} ${currency}`;
}
