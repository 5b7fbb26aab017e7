import assert from "node:assert/strict";
import { test } from "node:test";

import { formatPrice } from "../src/index.js";

test("cents have two digits", () => {
  assert.equal(formatPrice(5), "0.05 EUR");
  assert.equal(formatPrice(1250), "12.50 EUR");
});

test("thousands are grouped", () => {
  assert.equal(formatPrice(123456, "USD"), "1,234.56 USD");
  assert.equal(formatPrice(100000000), "1,000,000.00 EUR");
});

test("an amount can be negative", () => {
  assert.equal(formatPrice(-999), "-9.99 EUR");
});

test("half a cent is refused", () => {
  assert.throws(() => formatPrice(0.5), TypeError);
});
