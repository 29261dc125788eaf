INSERT INTO profile_loader.rejected_documents (run_id, reject_line, fault, source, line, byte_offset, code, pointer)
SELECT $1, r.reject_line, r.fault, r.source, r.line, r.byte_offset, r.code, r.pointer
FROM unnest($2::bigint[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
    AS r (reject_line, fault, source, line, byte_offset, code, pointer)
