--- busted's command under this interpreter: Debian's own starts whatever `lua` is, which is 5.1.
require "busted.runner" { standalone = false }
