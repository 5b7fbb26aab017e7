// The largest unit comes first.
const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/**
 * A duration in its two largest units: 3725 seconds are `1 h 2 min`.
 *
 * @param {number} seconds zero or more
 * @returns {string}
 */
export function formatDuration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) {
    throw new RangeError(`not a duration: ${seconds}`);
  }
  let rest = Math.round(seconds);
  const parts = [];
  for (const [unit, size] of UNITS) {
    if (rest >= size && parts.length < 2) {
      const count = Math.floor(rest / size);
      parts.push(`${count} ${unit}`);
      rest -= size;
    }
  }
  return parts.join(" ") || "0 s";
}

/**
 * The seconds of a duration such as `1 h 30 min`; the opposite of `formatDuration`.
 *
 * @param {string} text
 * @returns {number}
 */
export function parseDuration(text) {
  const sizes = new Map(UNITS);
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)\s*([a-z]+)/g)) {
    if (!sizes.has(unit)) {
      throw new RangeError(`unknown unit: ${unit}`);
    }
    seconds += Number(count) * sizes.get(unit);
  }
  return seconds;
}
