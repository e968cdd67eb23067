import { describe, expect, it } from "vitest";
import { headline, targetsOf, who } from "./doc";

describe("an event", () => {
  it("has a headline", () => {
    expect(headline({ "http.request.method": "GET", "url.path": "/orders/7", "http.route": "/orders/{id}" })).toBe("GET /orders/7");
    expect(headline({ "event.action": "token-issued" })).toBe("token-issued");
  });

  it("names a person", () => expect(who({ "user.id": "u1", "user.name": "ann" })).toBe("ann"));

  it("gives targets from narrow to wide, each once", () => {
    const doc = { "jwt.jti": "t1", "jwt.family": "f1", "user.id": "u1" };
    expect(targetsOf([doc, { ...doc, "jwt.jti": "t2" }]).map(({ kind, value }) => `${kind}=${value}`)).toEqual(["jti=t1", "jti=t2", "family=f1", "subject=u1"]);
  });

  it("never takes a target from a token that did not verify", () => {
    expect(targetsOf([{ "jwt.unverified.jti": "x", "jwt.unverified.sub": "admin" }])).toEqual([]);
  });
});
