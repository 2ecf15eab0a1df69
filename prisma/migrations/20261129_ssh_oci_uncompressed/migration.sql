-- Layers as plain tars.
ALTER TYPE "ImageFormat" ADD VALUE 'oci_uncompressed';
