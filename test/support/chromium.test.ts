import { expect, test } from "vitest";
import { findChromium } from "./chromium-program.ts";

test("Chromium is looked for where it is said to be, and nowhere else then", () => {
  expect(findChromium({ PATH: "" })).toBeUndefined();
  expect(findChromium({ PATH: "/nowhere/at/all", CHROME_PATH: process.execPath })).toBe(process.execPath);
  expect(() => findChromium({ PATH: process.env["PATH"], CHROME_PATH: "/nowhere/chrome" })).toThrow("/nowhere/chrome");
});
