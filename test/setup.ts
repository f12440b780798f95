// The babysitter SDK switches to `require('file://...')` when it sees this variable, and every
// process load then fails; child processes inherit the environment, so it goes for them too.
delete process.env['VITEST'];

// Colours follow the terminal and CI; what tests compare is plain text everywhere.
process.env['NO_COLOR'] = '1';
delete process.env['FORCE_COLOR'];

// Generated projects in Go are built in folders that are new each time: what is the same in two of them is
// compiled once only if its folder is no part of it. What programs are linked with for debuggers helps no test,
// and `go vet` has tests of its own.
process.env['GOFLAGS'] = '-trimpath -buildvcs=false -ldflags=-w -vet=off';
