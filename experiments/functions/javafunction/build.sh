#!/bin/sh
# Writes function.jar into $OUT.
set -eu
OUT="${OUT:-.}"
classes="$(mktemp -d)"
trap 'rm -rf "$classes"' EXIT
javac -Xlint:all -Werror --release 17 -d "$classes" ./*.java
jar --create --file "$OUT/function.jar" --main-class Main -C "$classes" .
