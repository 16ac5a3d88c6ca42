# Says which Ruby the app wants when this is not it, and nothing when it is. The Gemfile is read as
# text here; Bundler runs it later.
def read(file)
  File.file?(file) ? File.read(file, encoding: "BOM|UTF-8").scrub : nil
end

# "3.1" is every 3.1.x, as version managers read it.
def requirement_of(text)
  version = text.strip.delete_prefix("ruby-")
  return nil unless version.match?(/\A\d+(\.\d+){0,2}\z/)

  version.count(".") == 2 ? "= #{version}" : "~> #{version}.0"
end

line = read("Gemfile").to_s[/^\s*ruby[\s(]+(.*)$/, 1]&.sub(/\s#.*/, "")
if line && (file = line[/\bfile:\s*["']([^"']+)["']/, 1])
  source = file
  wanted = [requirement_of(read(file).to_s.lines.first.to_s)]
elsif line
  source = "the Gemfile"
  wanted = line[/\A[^:]*?(?=,\s*\w+:|,\s*:\w+|\z)/].to_s.scan(/["']([^"']+)["']/).flatten
elsif (text = read(".ruby-version"))
  source = ".ruby-version"
  wanted = [requirement_of(text.lines.first.to_s)]
end
wanted = (wanted || []).compact

begin
  fits = Gem::Requirement.new(*wanted).satisfied_by?(Gem::Version.new(RUBY_VERSION))
  print "#{source} asks for Ruby #{wanted.join(", ")}" unless wanted.empty? || fits
rescue ArgumentError
  warn "ERROR: #{source} asks for a Ruby that is no version: #{wanted.inspect}"
  exit 1
end
