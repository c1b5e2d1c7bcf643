"""The packaging engine: adds inference code to a trained model without recompressing the model.

A ``model.tar.gz`` is a tar archive inside a DEFLATE stream inside a gzip frame, and all three can
be prepended to:

* tar: entries stand one after another, so new entries may go in front;
* DEFLATE: a stream is a sequence of blocks; after a sync flush the next block starts at a byte
  boundary, so the original's blocks can follow as they are;
* gzip: the trailer's CRC-32 is linear over GF(2), so the CRC of (new entries + original) follows
  from the CRCs of the two; its ISIZE is the sum of the two sizes.

That is ``splice`` mode: one pass that inflates the original only to verify it, while the same bytes
are copied.  What cannot be spliced (loose files, an original with a ``code/`` of its own in the
middle, several gzip members, other compressions) takes ``stream`` mode: the tar entries that stay
are recompressed in parallel blocks.  Both write one ordinary gzip member, and nothing appears in
the output directory until it is complete.

Standard library only; Python 3.8 to 3.13.  Imports between the modules go down only:

1. ``errors``, ``contract``, ``sizes``, ``log``, ``crc32``, ``name_table``, ``entry_dates``
2. ``options``, ``archive_names``, ``threads``, ``deflate``, ``gzip_frame``, ``tar_format``
3. ``command_line``, ``files``, ``leave_out``, ``decompression``, ``pax_records``, ``tar_headers``
4. ``tar_walk``, ``shipped``, ``job_request``, ``gzip_member``, ``atomic_file``, ``python_syntax``
5. ``announcement``, ``judge``, ``scripts_input``, ``extra_inputs``, ``model_input``
6. ``job``, ``mlflow_model``, ``registry_values``
7. ``seam``, ``splice``, ``stream``, ``verify``, ``report``
8. ``run``

References: RFC 1951 (DEFLATE), RFC 1952 (gzip), POSIX.1-2017 pax (ustar and pax interchange
formats), the GNU tar manual, "Basic Tar Format" (GNU long names, base-256 numbers).
"""
