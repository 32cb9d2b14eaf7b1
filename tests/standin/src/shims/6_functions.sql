-- Functions of Redshift's that PostgreSQL has not, or has with another meaning.
SET search_path = pg_catalog;

-- AWS, REGEXP_REPLACE and REGEXP_COUNT: POSIX expressions, or Perl's by the parameter p; i ignores case, c does not. What
-- looks ahead is Perl's only. What $1 or \1 in a replacement mean is not published: here they are characters.
CREATE FUNCTION rs_regexp_flags(pattern text, parameters text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF parameters ~ '[^cip]' THEN PERFORM rs_fail('22023', format('invalid regular expression parameters "%s"', parameters)); END IF;
  IF strpos(pattern, '(?') > 0 AND strpos(parameters, 'p') = 0 THEN
    PERFORM rs_fail('XX000', 'Invalid preceding regular expression prior to repetition operator.');
  END IF;
  RETURN CASE WHEN strpos(parameters, 'i') > 0 THEN 'gi' ELSE 'g' END;
END $$;
CREATE FUNCTION rs_regexp_replace(source text, pattern text, replacement text DEFAULT '', place int DEFAULT 1, parameters text DEFAULT 'c')
RETURNS varchar LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT left(source, greatest(place, 1) - 1)
    || regexp_replace(substr(source, greatest(place, 1)), pattern, replace(replacement, chr(92), repeat(chr(92), 2)), rs_regexp_flags(pattern, parameters))
$$;
CREATE FUNCTION rs_regexp_count(source text, pattern text, place int DEFAULT 1, parameters text DEFAULT 'c')
RETURNS int LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT count(*)::int FROM regexp_matches(substr(source, greatest(place, 1)), pattern, rs_regexp_flags(pattern, parameters))
$$;

-- AWS, STRTOL: a base from 2 to 36.
CREATE FUNCTION rs_strtol(number text, base int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  digits text := lower(regexp_replace(btrim(number), CASE base WHEN 16 THEN '^([+-]?)0[xX]' ELSE '^([+-]?)' END, '\\1'));
  negative boolean := left(digits, 1) = '-';
  value numeric := 0;
  digit int;
BEGIN
  IF base NOT BETWEEN 2 AND 36 THEN PERFORM rs_fail('22023', 'base must be between 2 and 36'); END IF;
  digits := ltrim(digits, '+-');
  IF digits = '' THEN PERFORM rs_fail('22P02', format('The input %s is not valid to be converted to base %s', number, base)); END IF;
  FOR i IN 1..length(digits) LOOP
    digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, i, 1)) - 1;
    IF digit < 0 OR digit >= base THEN
      PERFORM rs_fail('22P02', format('The input %s is not valid to be converted to base %s', number, base));
    END IF;
    value := value * base + digit;
  END LOOP;
  value := CASE WHEN negative THEN -value ELSE value END;
  IF value NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
    PERFORM rs_fail('22003', format('The input %s is out of range', number));
  END IF;
  RETURN value;
END $$;

-- AWS, FNV_HASH: 64-bit FNV-1a of the value's bytes, of which its type says how many there are.
CREATE FUNCTION rs_fnv_bytes(bytes bytea, seed bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  hash numeric := CASE WHEN seed < 0 THEN seed + 18446744073709551616 ELSE seed END;
  low int;
BEGIN
  FOR i IN 0..length(bytes) - 1 LOOP
    low := mod(hash, 256)::int;
    hash := mod((hash - low + (low # get_byte(bytes, i))) * 1099511628211, 18446744073709551616);
  END LOOP;
  RETURN CASE WHEN hash >= 9223372036854775808 THEN hash - 18446744073709551616 ELSE hash END;
END $$;
CREATE FUNCTION rs_reversed(bytes bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT string_agg(substr(bytes, i, 1), '' ORDER BY i DESC) FROM generate_series(1, length(bytes)) i $$;
CREATE FUNCTION rs_fnv_hash(value varchar, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT rs_fnv_bytes(convert_to(value, 'UTF8'), seed) $$;
CREATE FUNCTION rs_fnv_hash(value smallint, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT rs_fnv_bytes(rs_reversed(int2send(value)), seed) $$;
CREATE FUNCTION rs_fnv_hash(value int, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT rs_fnv_bytes(rs_reversed(int4send(value)), seed) $$;
CREATE FUNCTION rs_fnv_hash(value bigint, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT rs_fnv_bytes(rs_reversed(int8send(value)), seed) $$;

-- AWS, DATE_TRUNC: of a date a timestamp, where PostgreSQL gives one with a time zone. AWS, TRUNC: of a timestamp its date.
CREATE FUNCTION date_trunc(part text, value date) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT date_trunc(part, value::timestamp) $$;
CREATE FUNCTION trunc(value timestamp) RETURNS date LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT value::date $$;
