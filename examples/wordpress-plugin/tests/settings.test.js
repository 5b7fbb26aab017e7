import assert from "node:assert/strict";
import { it } from "node:test";

class Element {
  value = "";
  textContent = "";
  addEventListener(name, listener) {
    this[name] = listener;
  }
}

it("shows the example at once and while somebody types", async () => {
  const elements = {
    readable_reading_time_words: new Element(),
    readable_reading_time_words_example: new Element(),
  };
  globalThis.document = { getElementById: (id) => elements[id] ?? null };
  const field = elements.readable_reading_time_words;
  const example = elements.readable_reading_time_words_example;
  field.value = "250";

  await import("../admin/settings.js");

  assert.equal(example.textContent, "1,000 words: 4 minutes");
  field.value = "100";
  field.input();
  assert.equal(example.textContent, "1,000 words: 10 minutes");
});
