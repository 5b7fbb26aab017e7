import assert from "node:assert/strict";
import { test } from "node:test";

import { formatList } from "../src/index.js";

test("no word is an empty text", () => {
  assert.equal(formatList([]), "");
});

test("one word stands alone", () => {
  assert.equal(formatList(["tea"]), "tea");
});

test("the last word gets the conjunction", () => {
  assert.equal(formatList(["tea", "milk"]), "tea and milk");
  assert.equal(formatList(["tea", "milk", "honey"], "or"), "tea, milk or honey");
});
