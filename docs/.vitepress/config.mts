import { defineConfig } from 'vitepress'

// Pages link to files outside docs/, as they are read in the repository too. The site has no such files: where SOURCE_URL says where
// the repository can be looked at (https://git.example.com/slipway/blob/main), the links lead there, else they are plain text.
const source = process.env.SOURCE_URL ?? ''

const outside = (href: string, page: string) => {
  if (!href.startsWith('.')) return
  const depth = page.split('/').length - 1 // folders below docs/
  const path = href.split('#')[0].split('/')
  const up = path.filter((part) => part === '..').length
  return up > depth ? path.filter((part) => part !== '..' && part !== '.').join('/') : undefined
}

// Anchors as whoever reads the repository on a web site of Git's has them; hack/links_test.go checks them so.
const anchor = (heading: string) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')

export default defineConfig({
  title: 'Slipway',
  description: 'Blue/green deploys on plain EC2, declared in Kubernetes',
  lang: 'en',
  cleanUrls: true,
  lastUpdated: true,
  srcExclude: ['**/node_modules/**'],
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Tutorial', link: '/tutorial' },
      { text: 'User guide', link: '/user-guide' },
      { text: 'Runbook', link: '/runbook' },
      { text: 'Install', link: '/install' },
    ],
    sidebar: [
      {
        text: 'Begin',
        items: [
          { text: 'Concepts', link: '/concepts' },
          { text: 'Tutorial', link: '/tutorial' },
          { text: 'Questions', link: '/faq' },
          { text: 'Compared with others', link: '/comparison' },
        ],
      },
      {
        text: 'How to',
        items: [
          { text: 'Make the first Release', link: '/how-to/first-release' },
          { text: 'Take over servers', link: '/how-to/adopt' },
          { text: 'Roll back', link: '/how-to/roll-back' },
          { text: 'Deploy through Git', link: '/gitops' },
          { text: 'Bootstrap with Chef', link: '/how-to/chef' },
          { text: 'Use several load balancers', link: '/how-to/several-load-balancers' },
          { text: 'Upgrade Slipway', link: '/how-to/upgrade' },
          { text: 'Rebuild a cluster', link: '/how-to/rebuild-a-cluster' },
          { text: 'Uninstall', link: '/how-to/uninstall' },
        ],
      },
      {
        text: 'Every day',
        items: [
          { text: 'User guide', link: '/user-guide' },
          { text: 'Runbook', link: '/runbook' },
          { text: 'Metrics, traces, messages', link: '/observability' },
        ],
      },
      {
        text: 'Reference',
        items: [
          { text: 'Installing', link: '/install' },
          { text: 'API', link: '/api' },
          { text: 'Command line', link: '/reference/cli/kubectl_slipway' },
          { text: 'Safety', link: '/safety' },
          { text: 'Performance', link: '/performance' },
          { text: 'The local AWS', link: '/local-aws' },
        ],
      },
      {
        text: 'Design',
        collapsed: true,
        items: [
          { text: 'Overview', link: '/design/README' },
          { text: 'Words', link: '/design/words' },
          { text: 'Phases', link: '/design/phases' },
          { text: 'Laws', link: '/design/laws' },
          { text: 'The loop', link: '/design/loop' },
          { text: 'Memory', link: '/design/memory' },
        ],
      },
    ],
  },
  markdown: {
    anchor: { slugify: anchor },
    config(md) {
      md.core.ruler.push('links-out-of-docs', (state) => {
        const page: string = state.env.relativePath ?? ''
        for (const block of state.tokens) {
          let ends = 0
          for (const token of block.children ?? []) {
            if (token.type === 'link_open') {
              const path = outside(token.attrGet('href') ?? '', page)
              if (path !== undefined && source) token.attrSet('href', `${source}/${path}`)
              if (path !== undefined && !source) {
                token.hidden = true
                token.type = 'text'
                token.tag = ''
                token.content = ''
                ends++
              }
            } else if (token.type === 'link_close' && ends > 0) {
              token.type = 'text'
              token.tag = ''
              token.content = ''
              ends--
            }
          }
        }
      })
    },
  },
})
