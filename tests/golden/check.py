"""Parses SQL files by the Redshift dialect of sqlfluff, a parser that is not ours.

usage: check.py FILE...

Prints one line for each statement that sqlfluff cannot parse and that is not one of the valid forms
it is known to lack (KNOWN), and ends with 1 if there is one. A statement that is in KNOWN although
sqlfluff parses it is a finding too: the list shall not grow stale.
"""

import re
import sys

# Valid on Redshift, unknown to sqlfluff 4.5.0. Each with the AWS page that shows it, in the Redshift
# Database Developer Guide.
NAME = r'("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
TARGET = rf"((ROLE|GROUP)\s+)?{NAME}"
LIST = rf"{TARGET}(\s*,\s*{TARGET})*"
KNOWN = [
    # r_DROP_GROUP
    rf"DROP GROUP {NAME}",
    # r_DROP_ROLE
    rf"DROP ROLE {NAME} FORCE",
    # r_GRANT, scoped permissions
    rf"(GRANT|REVOKE) [A-Z, ]+ FOR (TABLES|SCHEMAS|FUNCTIONS|PROCEDURES|LANGUAGES|COPY JOBS) IN (SCHEMA {NAME} )?DATABASE {NAME} (TO|FROM) {LIST}",
    # r_GRANT, system permissions
    rf"(GRANT|REVOKE) (CREATE|DROP|ALTER) (USER|ROLE)(, (CREATE|DROP|ALTER) (USER|ROLE))* (TO|FROM) ROLE {NAME}",
    # r_ALTER_DEFAULT_PRIVILEGES: roles as grantees
    rf"ALTER DEFAULT PRIVILEGES (FOR USER {NAME}(, {NAME})* )?(IN SCHEMA {NAME} )?(GRANT|REVOKE) [A-Z, ]+ ON TABLES (TO|FROM) ROLE {NAME}",
    # r_REVOKE, ASSUMEROLE and datashares
    rf"REVOKE ASSUMEROLE ON ('(?:[^']|'')*'|DEFAULT) FROM {LIST} FOR (ALL|COPY|UNLOAD|EXTERNAL FUNCTION|CREATE MODEL)",
    # r_ALTER_ROLE
    rf"ALTER ROLE {NAME} OWNER TO {NAME}",
    rf"REVOKE (ALTER|SHARE)(, (ALTER|SHARE))* ON DATASHARE {NAME} FROM {LIST}",
    # r_SET_SESSION_AUTHORIZATION
    r"SET SESSION AUTHORIZATION '(?:[^']|'')*'",
]
KNOWN = [re.compile(form.replace(" ", r"\s+") + r"\s*", re.DOTALL) for form in KNOWN]


def statements(text):
    """Splits at semicolons outside of strings, quoted names, comments and dollar quotes: (line, statement)."""
    token = re.compile(
        r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|;|[^;'\"$/-]+|.", re.DOTALL
    )
    line, start, current = 1, 1, ""
    for match in token.finditer(text):
        part = match.group()
        if part == ";":
            if current.strip():
                yield start, current.strip()
            current = ""
        elif not part.startswith(("--", "/*")):
            if not current.strip():
                current = ""
                start = line + part[: len(part) - len(part.lstrip())].count("\n")
            current += part
        line += part.count("\n")
    if current.strip():
        yield start, current.strip()


def main(files):
    from sqlfluff.core import FluffConfig, Linter

    linter = Linter(config=FluffConfig(overrides={"dialect": "redshift", "templater": "raw"}))

    def parses(statement):
        parsed = linter.parse_string(statement + ";\n")
        tree = parsed.tree
        return tree is not None and not parsed.violations and not list(tree.recursive_crawl("unparsable"))

    findings = count = 0
    for name in files:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        for line, statement in statements(text):
            count += 1
            known = any(form.fullmatch(statement) for form in KNOWN)
            if parses(statement) == known:
                findings += 1
                why = "parses, but stands in KNOWN" if known else "does not parse as Redshift"
                print(f"{name}:{line}: {why}: {' '.join(statement.split())}")
    print(f"{count} statements in {len(files)} files, {findings} findings")
    return 1 if findings or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
