module devdns

go 1.24.0

require github.com/coredns/coredns v1.14.7
