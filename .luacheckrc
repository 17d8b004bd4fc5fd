std = "lua54"
max_line_length = 100
files["spec"] = { std = "+busted" }
files[".busted"] = { std = "lua54" }
exclude_files = { "build", "dist" }
