import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { generatePassword, newSubscriber, passwordProblem } from "../../../src/cli/credentials.ts";

suite("credentials", () => {
  test("the A1 hashes are those of RFC 7616 section 3.9.1", () => {
    const { ha1Md5, ha1Sha256 } = newSubscriber("Mufasa", "http-auth@example.org", "Circle of Life", "");
    assert.equal(ha1Md5, "3d78807defe7de2157e2b0b6573a855f");
    assert.equal(ha1Sha256, "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
  });

  test("a password outside ASCII is hashed as UTF-8", () => {
    assert.equal(newSubscriber("a", "b", "é", "").ha1Md5, "2e65a4d6178ad673314ed70bce4a7186");
  });

  test("what is written for a subscriber does not contain the password", () => {
    assert.ok(!JSON.stringify(newSubscriber("100", "acme.example", "hunter2", "Ann")).includes("hunter2"));
  });

  test("generated passwords are long, differ, and have no letters that look alike", () => {
    const passwords = new Set(Array.from({ length: 100 }, generatePassword));
    assert.equal(passwords.size, 100);
    for (const password of passwords) assert.match(password, /^[a-km-np-z2-9]{16}$/);
  });

  test("a password may not be empty, very long or have control characters", () => {
    assert.equal(passwordProblem("Circle of Life"), undefined);
    for (const bad of ["", "a\tb", "a\u0000b", "é".repeat(65)]) assert.notEqual(passwordProblem(bad), undefined);
  });
});
