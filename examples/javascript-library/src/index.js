export { formatDuration, parseDuration } from "./durations.js";
export { formatList } from "./lists.js";
export { formatPrice } from "./prices.js";
