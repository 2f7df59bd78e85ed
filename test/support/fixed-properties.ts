// Preloaded by `npm test`: every property draws its examples from one seed.

import fc from "fast-check";

fc.configureGlobal({ seed: 20_261_123 });
