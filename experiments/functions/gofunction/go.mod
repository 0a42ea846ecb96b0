module gofunction

go 1.19
