#!/bin/bash -eu
# Puts each target into $OUT with its corpus and its dictionary. $SRC and $OUT are set by whoever calls this.
cd "$SRC/modrig"
cargo fuzz build -O --debug-assertions --fuzz-dir fuzz --features libfuzzer
for name in $(cargo fuzz list --fuzz-dir fuzz); do
    cp "target/x86_64-unknown-linux-gnu/release/$name" "$OUT/"
    zip -jqr "$OUT/${name}_seed_corpus.zip" "fuzz/corpus/$name"
    [ ! -e "fuzz/dictionaries/$name.dict" ] || cp -L "fuzz/dictionaries/$name.dict" "$OUT/"
    printf '[libfuzzer]\nrss_limit_mb = 1024\nmalloc_limit_mb = 256\ntimeout = 10\n' >"$OUT/$name.options"
done
