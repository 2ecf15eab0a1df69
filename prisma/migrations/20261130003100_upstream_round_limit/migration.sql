-- 20 GB, as the panel counts, unless somebody has set it.
UPDATE "Upstream" SET "limitBytes" = 20000000000 WHERE "id" = 'ups_dockerhub' AND "limitBytes" = 21474836480;
