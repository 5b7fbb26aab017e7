// How long a text takes to read; the plugin's PHP counts in the same way.

const DEFAULT_PACE = 200;

/** The number of words in a text without markup. */
export function countWords(text) {
  const trimmed = text.trim();
  return trimmed === "" ? 0 : trimmed.split(/\s+/u).length;
}

/** Words a minute as typed; what is no positive whole number is the default. */
export function paceOf(typed) {
  const pace = Number.parseInt(typed, 10);
  return pace > 0 ? pace : DEFAULT_PACE;
}

/** Whole minutes for so many words, at least one. */
export function minutesFor(words, pace) {
  return Math.max(1, Math.ceil(words / pace));
}

/** What stands beside the setting: `1,000 words: 5 minutes`. */
export function exampleFor(words, pace) {
  const minutes = minutesFor(words, pace);
  return `${words.toLocaleString("en-US")} words: ${minutes} minute${minutes === 1 ? "" : "s"}`;
}
