/** The origin of a web page that a listener lets in, and origins it has to refuse. */
export const ALLOWED_ORIGIN = "https://app.example";

/** Other sites, and all that looks like the allowed one. */
export const HOSTILE_ORIGINS: readonly string[] = [
  "https://evil.example",
  "http://app.example",
  "https://app.example:8443",
  "https://app.example/",
  "https://app.example.evil.example",
  "https://evil.example?https://app.example",
  "HTTPS://APP.EXAMPLE",
  "null",
  "http://localhost",
  "http://127.0.0.1",
  "",
  "file://",
];
