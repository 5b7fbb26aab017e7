import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { countWords, exampleFor, minutesFor, paceOf } from "../admin/minutes.js";

describe("countWords", () => {
  it("counts what white space separates", () => {
    assert.equal(countWords("  one\ntwo\tthree  "), 3);
  });

  it("finds none in an empty text", () => {
    assert.equal(countWords(" \n"), 0);
  });
});

describe("minutesFor", () => {
  it("rounds up", () => {
    assert.equal(minutesFor(200, 200), 1);
    assert.equal(minutesFor(201, 200), 2);
  });

  it("is never less than one", () => {
    assert.equal(minutesFor(0, 200), 1);
  });
});

describe("paceOf", () => {
  it("takes what is typed", () => {
    assert.equal(paceOf("250"), 250);
  });

  it("falls back where that is no pace", () => {
    for (const typed of ["", "0", "-3", "fast"]) {
      assert.equal(paceOf(typed), 200);
    }
  });
});

describe("exampleFor", () => {
  it("says words and minutes", () => {
    assert.equal(exampleFor(1000, 200), "1,000 words: 5 minutes");
    assert.equal(exampleFor(100, 200), "100 words: 1 minute");
  });
});
