// Preloaded by `npm run soak`: properties draw fresh examples, and more of them where a test names no number.

import fc from "fast-check";

fc.configureGlobal({ numRuns: 5_000 });
