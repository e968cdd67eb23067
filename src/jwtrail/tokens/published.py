"""Keys and secrets that everybody has: of debuggers, tutorials, framework documentation and standards."""

__all__ = ["EXAMPLE_KEYS", "PUBLISHED_KEYS", "PUBLISHED_SECRETS", "is_published_secret"]

_WORDS = """
secret secretkey secret_key secret-key mysecret my-secret my_secret mysecretkey my-secret-key my_secret_key secret123
supersecret super-secret super_secret supersecretkey super-secret-key topsecret top-secret verysecret changeme
change-me change_me changethis change-this password passw0rd key test token private jwt jwtsecret jwt-secret jwt_secret
jwtsecretkey jwt-secret-key jwt_secret_key your_jwt_secret your-jwt-secret yoursecretkey your-secret-key
your_secret_key your-secret your_secret app-secret dev-secret 1234 12345 123456 12345678 123456789 1234567890 qwerty
django-insecure javainuse mycustomsecret shhhhh keyboardcat example gravitee.io secretoken accesstokensecret
refreshtokensecret access_token_secret refresh_token_secret
your-256-bit-secret your-384-bit-secret your-512-bit-secret
a-string-secret-at-least-256-bits-long a-valid-string-secret-that-is-at-least-384-bits-long
a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long
09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7
404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970
3cfa76ef14937c1c0ea519f8fc057a80fcd04a7420f8e8bcd0a7567c272e007b
413f4428472b4b6250655368566d5970337336763979244226452948404d6351
qwertyuiopasdfghjklzxcvbnm123456 01234567890123456789012345678901 12345678901234567890123456789012
reallyreallyreallyreallyverysafe test123-test123-test123-test123-test123-test123-test123
<random_string_at_least_32_characters_long> your-super-secret-jwt-token-with-at-least-32-characters-long
super-secret-jwt-token-with-at-least-32-characters-long your-secret-key-at-least-32-characters-long
this-is-a-secret-key-at-least-32-characters this_is_a_secret_key_that_is_at_least_32_characters_long
thisisasecretkeythatisatleast32characterslong your-super-secret-key-change-this-in-production
your-secret-key-change-in-production your-secret-key-here-change-in-production change-this-secret-in-production
mysupersecretkeythatisatleast32characterslong my-32-character-ultra-secure-and-ultra-long-secret
my_ultra_secure_jwt_secret_which_is_at_least_32_chars thisismysecretkeyitshouldbelongenough
"""

PUBLISHED_SECRETS = frozenset(_WORDS.split()) | frozenset(
    (
        "do not use this value. instead, create a complex secret and keep it safe outside of the source code.",
        "this is a secret key for jwt",
        "jwts are the best!",
    )
)
"""In lower case. The first of them were in millions of pages; the longer ones pass every check of length."""

PUBLISHED_KEYS = frozenset(
    (
        "f56c8b01227f62ddbc16eb29a6ac0b31",  # the RS256 pair that jwt.io fills in
        "a40f0f2e2974dc76a82df6ffe08ed0d7",  # ES256
        "302e26c098cfde2db131e9a3b12ce4c4",  # ES384
    )
)
"""First half of SHA-256 of public keys, as SubjectPublicKeyInfo, whose private half anybody can look up; hexadecimal."""

EXAMPLE_KEYS = frozenset(
    (
        "c8ecc9361a05e285f04c26f9572131a6",  # RFC 7515 A.1
        "6fd13c2435a361e7c588cd17f55f5ad3",  # RFC 7515 A.2
        "2bd1bb0c44a897c30a7aa0991cde38d8",  # RFC 7515 A.3
        "9146ce73d6abeda5e0ab6926e7bd9b56",  # RFC 7515 A.4
        "06e3fd8fda29bb60ab59557de61edb0a",  # RFC 8037 A.2
        "627771f25da426d1f9ae315e42106d70",  # RFC 7520 3.4
        "c6479a15a50ac4cd9b6414e27c69bf37",  # RFC 7520 3.2
        "73ec74458059c70cae3f0ade8663fe0d",  # RFC 7520 3.5
    )
)
"""The same of the keys of standards, of secrets their bytes."""


def is_published_secret(secret: bytes) -> bool:
    """Whether a secret stands in a list of this module, whatever its case, with or without white space around it."""
    return secret.strip().decode("utf-8", "replace").lower() in PUBLISHED_SECRETS
