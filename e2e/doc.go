// Package e2e holds the stories that prove the product: the real binaries on a fresh lab, in the order in which an
// operator meets them. `make stories` runs them.
package e2e
