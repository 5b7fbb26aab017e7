/**
 * Words as a sentence lists them: `a`, `a and b`, `a, b and c`.
 *
 * @param {string[]} words
 * @param {string} [conjunction]
 * @returns {string}
 */
export function formatList(words, conjunction = "and") {
  if (words.length < 2) {
    return words.join("");
  }
  const last = words[words.length - 1];
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}
