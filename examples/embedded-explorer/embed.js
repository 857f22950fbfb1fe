// The explorer takes what it shows from its URL's fragment: JSON, deflated, base64url. `p` is the program, `m` the mode.
async function fragmentOf(state) {
  const packed = new Blob([JSON.stringify(state)]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

const explorer = document.getElementById('explorer');
const program = document.getElementById('program').textContent.trim();
explorer.src = `explorer/#${await fragmentOf({ m: 'compare', p: program })}`;
explorer.addEventListener('load', () => {
  // The explorer fills its page when its scripts have run.
  const look = () => {
    const text = explorer.contentDocument.body.innerText;
    if (text.length > 200) document.title = `shown: ${text.replace(/\s+/g, ' ').slice(0, 4000)}`;
    else setTimeout(look, 50);
  };
  look();
});
