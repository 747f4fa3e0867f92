/** `npm run size`: what the parts of the build weigh in a browser. */
import { PARTS, sizeOf } from "./bundle-size.ts";

const kilobytes = (bytes: number): string => `${(bytes / 1_024).toFixed(1)} KiB`.padStart(10);

console.log(`${"".padEnd(30)}  minified   gzipped     limit`);
for (const part of PARTS) {
  const { minified, gzipped } = await sizeOf(part);
  console.log(part.name.padEnd(30) + [minified, gzipped, part.limit].map(kilobytes).join(""));
  if (gzipped > part.limit) process.exitCode = 1;
}
