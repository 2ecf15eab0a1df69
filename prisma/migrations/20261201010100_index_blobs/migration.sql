-- Entries of an index that are blobs, not images (BuildKit's caches), were kept as if they were images: the collector took the blobs.
-- From now on they are layers of the index. One whose content Postgres cannot read as JSON (a NUL in an unknown field) stays as it is;
-- `verify --repair` writes its rows anew.
DO $$
DECLARE
  m RECORD;
BEGIN
  FOR m IN
    SELECT "id", "content" FROM "Manifest"
    WHERE "mediaType" IN ('application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json')
  LOOP
    BEGIN
      WITH entry AS (
        SELECT e.value->>'digest' AS digest, e.value->>'mediaType' AS type, (e.value->>'size')::bigint AS size, e.ordinality - 1 AS position
        FROM jsonb_array_elements(convert_from(m."content", 'UTF8')::jsonb->'manifests') WITH ORDINALITY e
        WHERE e.value->>'mediaType' !~ '\.(manifest|index)\M'
          AND EXISTS (SELECT 1 FROM "ManifestChild" c WHERE c."manifestId" = m."id" AND c."digest" = e.value->>'digest')
      ), gone AS (
        DELETE FROM "ManifestChild" c USING entry e WHERE c."manifestId" = m."id" AND c."digest" = e.digest
      ), made AS (
        INSERT INTO "ManifestLayer" ("manifestId", "position", "digest", "mediaType", "size")
        SELECT m."id", e.position, e.digest, e.type, e.size FROM entry e ON CONFLICT DO NOTHING
      )
      UPDATE "Manifest" i SET "totalSize" = i."totalSize" + s.size
      FROM (SELECT SUM(d.size)::bigint AS size FROM (SELECT DISTINCT digest, size FROM entry) d) s
      WHERE i."id" = m."id" AND s.size > 0;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'index %: %', m."id", SQLERRM;
    END;
  END LOOP;
END $$;
