// Keeps the example beside the setting up to date while somebody types.

import { exampleFor, paceOf } from "./minutes.js";

const EXAMPLE_WORDS = 1000;
const field = document.getElementById("readable_reading_time_words");
const example = document.getElementById("readable_reading_time_words_example");

function show() {
  example.textContent = exampleFor(EXAMPLE_WORDS, paceOf(field.value));
}

if (field && example) {
  field.addEventListener("input", show);
  show();
}
