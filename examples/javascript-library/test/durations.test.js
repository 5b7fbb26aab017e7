import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { formatDuration, parseDuration } from "../src/index.js";

describe("formatDuration", () => {
  it("gives seconds below a minute", () => {
    assert.equal(formatDuration(0), "0 s");
    assert.equal(formatDuration(59), "59 s");
  });

  it("rounds to whole seconds", () => {
    assert.equal(formatDuration(1.4), "1 s");
    assert.equal(formatDuration(59.5), "1 min");
  });

  it("gives the two largest units", () => {
    assert.equal(formatDuration(3725), "1 h 2 min");
    assert.equal(formatDuration(86400 + 3600 + 60), "1 d 1 h");
  });

  it("counts every unit only once", () => {
    assert.equal(formatDuration(7384), "2 h 3 min");
    assert.equal(formatDuration(125), "2 min 5 s");
  });

  it("leaves out units that are zero", () => {
    assert.equal(formatDuration(2 * 86400), "2 d");
    assert.equal(formatDuration(3 * 3600 + 7), "3 h 7 s");
  });

  it("refuses what is no duration", () => {
    assert.throws(() => formatDuration(-1), RangeError);
    assert.throws(() => formatDuration(NaN), RangeError);
  });
});

describe("parseDuration", () => {
  it("adds up the units", () => {
    assert.equal(parseDuration("1 h 30 min"), 5400);
    assert.equal(parseDuration("2d"), 172800);
  });

  it("reads what formatDuration writes", () => {
    for (const seconds of [0, 5, 61, 3660, 90000]) {
      assert.equal(parseDuration(formatDuration(seconds)), seconds);
    }
  });

  it("refuses unknown units", () => {
    assert.throws(() => parseDuration("3 weeks"), /unknown unit: weeks/);
  });
});
