-- Takes a statement back that gave an event a number which is not above all that are there: whoever
-- was answered before would then have the higher one.
CREATE FUNCTION pra_refuse_number(given bigint, there bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'event % is there, and % would be the number of a new one', there, given
    USING ERRCODE = 'PRA01';
END $$;
